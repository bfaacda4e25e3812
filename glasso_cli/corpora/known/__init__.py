"""Documents for networks of kind torch that come with packages: written digits, and words of the built-in texts."""
