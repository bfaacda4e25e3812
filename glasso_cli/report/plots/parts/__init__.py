"""What figures share: style, sheets, glyphs, bins and layouts."""
