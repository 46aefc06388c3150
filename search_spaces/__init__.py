"""Which networks exist and how they are built. One file is one space; this storey knows no other."""
