"""How a deployed pipeline is: every source asked at once, each within its budget."""
