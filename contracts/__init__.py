"""The words that authors and engine share: types, enums and errors. No I/O, no clock, no environment."""
