"""What a run leaves: formats, and the converters that write them."""
