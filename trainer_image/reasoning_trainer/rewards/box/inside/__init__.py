"""What runs inside the box's own process: the walls, and then the user's code; the standard library alone."""
