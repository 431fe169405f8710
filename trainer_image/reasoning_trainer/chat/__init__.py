"""How text becomes tokens, and back."""
