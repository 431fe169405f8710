"""The command line `rtj`, also `kubectl rtj`: a file for each group of commands.

A command's function holds its arguments and its help; what it does is imported when it runs, so that help is quick.
"""
