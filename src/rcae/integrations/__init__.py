"""RcAE as a part of other tools: each module needs its own extra."""
