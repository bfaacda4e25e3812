"""Sections of the stages that ask what neurons do: influence, interventions, their audit, paths and scores."""
