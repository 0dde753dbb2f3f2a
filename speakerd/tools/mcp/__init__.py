"""Tools of others: servers of the Model Context Protocol, spoken to by its official library.

A server is nobody's friend: what it says is bounded and cleaned before it gets anywhere, and what
it does to itself costs nothing but its own tools. :mod:`~speakerd.tools.mcp.servers` looks after
all of them, :mod:`~speakerd.tools.mcp.server` after one, over a :mod:`~speakerd.tools.mcp.link` by
an address (:mod:`~speakerd.tools.mcp.web`) or a command (:mod:`~speakerd.tools.mcp.child`).
"""
