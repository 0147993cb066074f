"""What exists in an application: a page of `sipQuery` (`pages`), all of them (`reader`), by group (`inventory`)."""
