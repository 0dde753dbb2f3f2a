"""The Gemini edge: one Live API connection at a time. The only importer of google.genai."""
