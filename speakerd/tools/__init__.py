"""What the model may call.

Each set of tools is a module of functions, see :mod:`~speakerd.tools.volume`;
:mod:`~speakerd.tools.toolbox` declares and calls them.
"""
