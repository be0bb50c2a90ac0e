"""A list of steps carried out: ordered, resumed, told, sealed, and put on pages."""
