"""The shop's catalogue: kinds of products, and the items that each comes in."""

from contracts.tool import Call, ToolModel, tool
from tools.fields import ItemId, Money, ProductId

_TRUSTED = ("product_id", "variants.item_id", "variants.available", "variants.price")
"""Not names and options: suppliers write these."""


class ProductsRequest(ToolModel):
    pass


class ProductName(ToolModel):
    product_id: ProductId
    name: str


class Products(ToolModel):
    products: tuple[ProductName, ...]
    """In alphabetical order."""


class ProductRequest(ToolModel):
    product_id: ProductId


class Option(ToolModel):
    """One thing in which variants differ, as in `colour: green`."""

    name: str
    value: str


class Variant(ToolModel):
    item_id: ItemId
    options: tuple[Option, ...]
    available: bool
    price: Money


class Product(ToolModel):
    product_id: ProductId
    name: str
    variants: tuple[Variant, ...]


@tool(effect="read", scopes=("shop_catalogue:read",), trusted=("products.product_id",))
async def list_products(request: ProductsRequest, call: Call) -> Products:
    """List every kind of product with its id."""
    return Products.model_validate(await call.send("GET", "/products"))


@tool(effect="read", scopes=("shop_catalogue:read",), trusted=_TRUSTED)
async def read_product(request: ProductRequest, call: Call) -> Product:
    """Read the items that a product comes in: options, price, and whether one can be had now.

    Raises `ToolRefused` for a product that the shop does not have. An item's id is no product's id.
    """
    return Product.model_validate(await call.send("GET", "/product", query={"product_id": request.product_id}))
