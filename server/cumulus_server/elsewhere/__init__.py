"""A relay that is not in this server: calls are passed on to it, with a token that browsers never see."""
