"""How folders become samples, one file for each layout."""
