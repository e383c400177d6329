"""The peers' own programs; each is run by the Python of its environment, from the repository's root."""
