"""What the trainer offers in the box beside the interpreter's own: this folder is on the box's path."""
