"""What of runs is kept in memory and brought up to date in steps, so that many may watch.

live_run.py     one run: its trials in the order they were seen, its front, its history
live_runs.py    those that somebody asked for lately
watching.py     one poller a run for all who stream it
"""
