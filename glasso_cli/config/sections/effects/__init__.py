"""Sections of the stages that ask what neurons do: influence, interventions, their audit, and scores."""
