"""At the line: an image comes in, is inspected once, recorded, and its picture kept."""
