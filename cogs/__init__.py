"""What members touch, one file a feature. Cogs hold no logic that another cog would need: that is bot/."""
