"""The Discord process: client, delivery, replies. It never imports torch."""
