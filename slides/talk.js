// Starts the deck; plays recorded runs, and live ones when the deck is served. Works from disk: nothing is fetched then.
(() => {
  "use strict";
  const replays = JSON.parse(document.getElementById("replays").textContent);
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  const served = location.protocol === "http:";
  const players = new Map();

  class Player {
    constructor(figure) {
      this.figure = figure;
      this.name = figure.dataset.replay;
      this.frames = replays[this.name];
      this.frame = figure.querySelector(".frame");
      this.caption = figure.querySelector(".caption");
      this.setup = figure.querySelector(".setup");
      this.recordedSetup = this.setup.textContent;
      this.place = figure.querySelector(".place");
      this.playButton = figure.querySelector(".play");
      this.liveButton = figure.querySelector(".live");
      this.at = this.frames.length - 1;
      this.timer = this.source = null;
      this.playButton.addEventListener("click", () => this.toggle());
      this.liveButton.addEventListener("click", () => this.toggleLive());
      this.liveButton.hidden = !served;
    }
    paint(svg, caption) { this.frame.innerHTML = svg; this.caption.textContent = caption; }
    show(index) {
      this.at = Math.max(0, Math.min(index, this.frames.length - 1));
      const { svg, caption, t } = this.frames[this.at];
      this.paint(svg, caption);
      this.setup.textContent = this.recordedSetup;
      this.place.textContent = `${t.toFixed(1)} s`;
    }
    toggle() { this.timer ? this.pause() : this.play(); }
    play() {
      this.stopLive();
      if (this.at >= this.frames.length - 1) this.show(0);
      this.label("❚❚ pause");
      this.began = performance.now() - 1000 * this.frames[this.at].t;
      // Reduced motion: a still picture each second instead of a moving one.
      this.timer = setInterval(() => this.tick(), calm.matches ? 1000 : 40);
      this.figure.dataset.playing = "true";
    }
    tick() {
      const now = (performance.now() - this.began) / 1000;
      let index = this.at;
      while (index + 1 < this.frames.length && this.frames[index + 1].t <= now) index++;
      if (index !== this.at) this.show(index);
      if (index === this.frames.length - 1) this.pause();
    }
    pause() {
      clearInterval(this.timer);
      this.timer = null;
      this.label("▶ play");
      delete this.figure.dataset.playing;
    }
    label(words) { this.playButton.firstChild.textContent = words + " "; }
    step(by) { this.pause(); this.stopLive(); this.show(this.at + by); }
    toggleLive() { this.source ? this.stopLive() : this.startLive(); }
    startLive() {
      if (!served) return;
      this.pause();
      this.source = new EventSource(`live/${this.name}`);
      this.liveButton.setAttribute("aria-pressed", "true");
      this.liveButton.firstChild.textContent = "■ stop it ";
      this.figure.dataset.live = "true";
      this.setup.textContent = "live, on this machine, now";
      let painted = -1;
      this.source.addEventListener("frame", event => {
        const { svg, caption, t } = JSON.parse(event.data);
        if (calm.matches && t < painted + 1) return;
        painted = t;
        this.paint(svg, caption);
        this.place.textContent = `live ${t.toFixed(1)} s`;
        this.figure.dataset.liveFrames = 1 + Number(this.figure.dataset.liveFrames || 0);
      });
      this.source.addEventListener("wait", event => { this.caption.textContent = event.data; });
      this.source.addEventListener("end", event => this.stopLive(event.data));
      this.source.onerror = () => this.stopLive("no live run here; → plays the recorded one");
    }
    // The live run's last picture stays, so what stands under it must not speak of the recorded one.
    stopLive(words = "live, on this machine, stopped") {
      if (!this.source) return;
      this.source.close();
      this.source = null;
      this.liveButton.setAttribute("aria-pressed", "false");
      this.liveButton.firstChild.textContent = "● run it live ";
      delete this.figure.dataset.live;
      this.setup.textContent = words;
    }
    leave() { this.pause(); this.stopLive(); this.show(this.frames.length - 1); this.place.textContent = ""; }
  }

  document.querySelectorAll(".replay").forEach(figure => players.set(figure, new Player(figure)));
  const current = () => players.get(Reveal.getCurrentSlide().querySelector(".replay"));
  const key = (code, name, description, act) =>
    Reveal.addKeyBinding({ keyCode: code, key: name, description }, () => { const player = current(); if (player) act(player); });

  Reveal.initialize({
    width: 1280, height: 720, margin: 0, minScale: 0.1, maxScale: 4, center: false, hash: true, controls: false,
    transition: "none", backgroundTransition: "none", slideNumber: "c/t", pdfSeparateFragments: false,
    pdfMaxPagesPerSlide: 1, plugins: [RevealNotes],
  }).then(() => {
    key(80, "P", "Recorded run: play, pause", player => player.toggle());
    key(188, ",", "Recorded run: one frame back", player => player.step(-1));
    key(190, ".", "Recorded run: one frame on", player => player.step(1));
    key(76, "L", "Run it live (when served by make slides), stop it", player => player.toggleLive());
    // The list behind "?" would still promise what these keys did before.
    for (const [keys, words] of [["P  ,  Shift SPACE", "P: recorded run; Shift SPACE: previous slide"],
      ["&#8594;  ,  L", "Navigate right (L: run it live)"], ["B  ,  .", "B: black (.: one frame on)"]])
      Reveal.registerKeyboardShortcut(keys, words);
    // The clicker's "next" plays the run before it leaves the slide.
    Reveal.on("fragmentshown", event => players.get(event.fragment.closest(".replay"))?.play());
    Reveal.on("slidechanged", event => event.previousSlide && players.get(event.previousSlide.querySelector(".replay"))?.leave());
    window.addEventListener("pagehide", () => players.forEach(player => player.stopLive()));
    document.documentElement.dataset.ready = "true";
  });
})();
