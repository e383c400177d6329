"""`python -m benchmarks [NAME ...]`: runs the measurements that are named, or all of them, one after another."""

import argparse
import importlib
import pkgutil
import sys

import benchmarks


def names() -> list[str]:
    return sorted(name for _, name, _ in pkgutil.iter_modules(benchmarks.__path__) if not name.startswith("_"))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(names())}")
    chosen = parser.parse_args().names or names()
    if unknown := set(chosen) - set(names()):
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(names())}")
    results = []
    for name in chosen:
        print(f"\n=== {name} ===", flush=True)
        module = importlib.import_module(f"benchmarks.{name}")
        if not hasattr(module, "main"):
            module = importlib.import_module(f"benchmarks.{name}.__main__")
        sys.argv[1:] = []
        results.append(module.main())
    return max((result for result in results if isinstance(result, int)), default=0)


if __name__ == "__main__":
    sys.exit(main())
