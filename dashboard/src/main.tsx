// Begins: the stream is opened, the page is drawn.
import { render } from "preact";
import { App } from "./app.js";
import { stream } from "./stream.js";

stream.open();
const place = document.getElementById("app");
if (place) render(<App />, place);
