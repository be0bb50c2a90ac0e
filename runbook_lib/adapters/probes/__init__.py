"""The service tests on the wire: a kind a file, and what they share.

run       all tests at once, by one deadline
turns     so many attempts at a time, and nobody behind one that hangs
attempt   one attempt's failure with the cause that is true
places    where a connection may go: never where it was not told
connect   the TCP connection that every kind begins with
http1, http2, tls, tcp, dns
"""
