"""The worker on another computer: `bridge` stands for it on the client's, `server` lets clients in on its own."""
