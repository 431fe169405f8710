"""Programs that models write, and the tests of them, each in a box of its own."""
