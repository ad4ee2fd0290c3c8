// Replaced by the first method's tests.
