"""The main job: one model, served the rudimentary way and as a batched actor deployment, under the same load."""
