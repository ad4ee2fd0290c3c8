// Replaced by the first method of this module.
