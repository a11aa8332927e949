"""The study's pages, the server that shows them, and the answers that it keeps."""
