"""What of a run is kept in memory and brought up to date in steps; nothing here writes to a run.

trial_table.py   the trials of a run as columns
seen.py          which trials somebody knows already, as the text of a cursor
live_run.py      one run: reads new rows only, its front grows with them
moment.py        a run at one moment, from which every document is made
documents.py     those documents: summary, front, history, trials
health.py        how well the search goes
networks.py      one network, its drawing; the report
listing.py       which runs there are
noted.py         labels and jobs of runs
shared_run.py    a run whose folder lies elsewhere
runs.py          all runs of the service; the latest used kept in memory
stream.py        server-sent events; one poller a run serves all who read
answers.py       documents as bytes: made once, with ETag and gzip
"""
