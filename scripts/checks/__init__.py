"""Checks of what Home Assistant's and the Marketplace's validators ask of an integration, without their repositories."""
