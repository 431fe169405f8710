"""The process that stays: it starts the one that trains, hears signals, answers who asks, and has the last word."""
