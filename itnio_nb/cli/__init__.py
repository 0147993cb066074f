"""The console command `itnio-nb`, over all that the package can do. Begin with `main`."""
