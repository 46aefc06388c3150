"""The service: a REST API, jobs, and a dashboard over the runs of one folder. The only room that knows the web.

settings.py   what `nas serve` was told
service.py    what every route gets: settings, and the parts made from them
app.py        the application: routes found by file name, security around them, errors as problem+json
routes/       one file a resource, each exports `router`; paths below /api/v1
security/     who may ask what, and from where
jobs/         long work as processes that outlive the service
live/         what of a run is kept in memory and brought up to date in steps
dashboard/    the pages: plain files, no request leaves the machine
"""
