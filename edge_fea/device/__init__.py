"""The appliance: composes the other wings into a service."""
