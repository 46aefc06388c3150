// Data sets: what is there, and a new one.

import { get, send, upload } from "./api.js";
import { agrees, h, labelled, replace } from "./dom.js";
import { quantity, when } from "./format.js";

export async function show(place, page) {
  document.title = "Data - FitNAS";
  const list = h("div", {}), said = h("p", { "aria-live": "polite" });
  const file = h("input", { type: "file", accept: ".zip", name: "file" }), name = h("input", { name: "name", placeholder: "as the file" });
  const refresh = async () => replace(list, table(await get("/datasets", page.signal), refresh, page));
  const add = async (event) => {
    event.preventDefault();
    if (!file.files.length) return;
    said.textContent = "Uploading and looking at every picture ...";
    try {
      const found = await upload(file.files[0], name.value || file.files[0].name);
      said.textContent = `${found.name}: ${found.pictures.toLocaleString("en")} in ${found.class_names.length} classes.`;
      page.tell(null);
      await refresh();
    } catch (error) { said.textContent = ""; page.tell(error); }
  };
  replace(place, h("h1", {}, "Data"),
    h("form", { class: "panel row end", onsubmit: add }, labelled("A zip with a folder a class, of pictures or .wav files", file), labelled("Name", name), h("button", { class: "main" }, "Upload"), said),
    list);
  await refresh();
}

function table(found, refresh, page) {
  if (!found.length) return h("p", { class: "soft" }, "Nothing was uploaded yet. The digits are built in.");
  const remove = (each) => async () => {
    if (await agrees(`Delete the data set ${each.name}?`, "Delete")) await send("DELETE", `/datasets/${each.id}`).then(refresh).catch(page.tell);
  };
  return h("div", { class: "scroll", tabindex: "0" }, h("table", {},
    h("thead", {}, h("tr", {}, ["name", "id", "pictures", "classes", "bytes", "added", ""].map((word) => h("th", { scope: "col" }, word)))),
    h("tbody", {}, found.map((each) => h("tr", {}, h("td", {}, each.name), h("td", {}, each.id), h("td", {}, each.pictures.toLocaleString("en")), h("td", { title: each.class_names.join(", ") }, each.class_names.length),
      h("td", {}, quantity("_bytes", each.bytes)), h("td", {}, when(each.added)), h("td", {}, h("button", { type: "button", class: "bad quiet", onclick: remove(each) }, "Delete")))))));
}
