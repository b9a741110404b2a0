"""Three components that calculate. The tests copy this package, so that they can change its code."""
