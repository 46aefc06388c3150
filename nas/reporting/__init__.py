"""What people read: tables of fronts, members and layers."""
