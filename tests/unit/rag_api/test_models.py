from fakes.api import Api


def test_there_is_a_model_for_every_author(api: Api) -> None:
    api.client.put("/v1/documents/a", json={"text": "x", "author": "Ada Lovelace"})

    models = api.client.get("/v1/models").json()

    assert models["object"] == "list"
    assert [model["id"] for model in models["data"]] == ["twin", "twin:ada-lovelace"]
    assert api.client.get("/v1/models/twin:ada-lovelace").json() == models["data"][1]


def test_a_model_of_nobody_is_not_found(api: Api) -> None:
    response = api.client.get("/v1/models/twin:nobody")

    assert response.status_code == 404
    assert response.json()["error"]["code"] == "model_not_found"
