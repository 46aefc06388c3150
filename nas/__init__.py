"""FitNAS: search, train, measure, ship and show networks that fit a device."""
