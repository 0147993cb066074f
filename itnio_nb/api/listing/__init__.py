"""What exists in an application: every page of `sipQuery` (`reader`), and its phones by group (`inventory`)."""
