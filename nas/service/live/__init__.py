"""What of a run is kept in memory and brought up to date in steps; nothing here writes to a run.

trial_table.py   the trials of a run as columns
seen.py          which trials somebody knows already, as the text of a cursor
live_run.py      one run: reads new rows only, its front grows with them
moment.py        a run at one moment, from which every document is made
documents.py     those documents: summary, front, history, trials, one network, health
runs.py          all runs of the service: found, listed, the latest used kept in memory
stream.py        server-sent events; one poller a run serves all who read
answers.py       documents as bytes: made once, with ETag and gzip
"""
