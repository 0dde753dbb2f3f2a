"""The options, an area at a time: each a class of fields, under the heading where a person looks.

:class:`~speakerd.config.settings.Settings` has the fields of them all.
"""
