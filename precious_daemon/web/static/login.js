// The button presses itself; without scripts it waits for the owner.
document.getElementById("enter").submit();
