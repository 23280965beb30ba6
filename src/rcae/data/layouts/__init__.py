"""Dataset layouts: how folders become samples, one file for each layout."""
