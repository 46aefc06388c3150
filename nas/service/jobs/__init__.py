"""Long work as processes that outlive the service.

process.py      one job's process: started, asked whether it lives, told to stop
folder.py       the files of a job: command, events, log, exit code
progress.py     how far a job is, from its files
turns.py        who comes next
supervisor.py   starts, watches, adopts after a restart, resumes
"""
