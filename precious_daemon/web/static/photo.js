// One photo on its page: I hides what is said about it, and shows it again.
import { keys } from "./app.js";

keys({ i: () => document.querySelector(".photo-page").classList.toggle("alone") });
